"""The enumerations of OCPP 1.6, 2.0.1 and 2.1 that the translation reads, as word lists."""

from __future__ import annotations

CONTEXTS = """Interruption.Begin Interruption.End Other Sample.Clock Sample.Periodic
    Transaction.Begin Transaction.End Trigger"""
PHASES = "L1 L2 L3 N L1-N L2-N L3-N L1-L2 L2-L3 L3-L1"
BOTH_MEASURANDS = """Current.Export Current.Import Current.Offered Energy.Active.Export.Interval
    Energy.Active.Export.Register Energy.Active.Import.Interval Energy.Active.Import.Register
    Energy.Reactive.Export.Interval Energy.Reactive.Export.Register
    Energy.Reactive.Import.Interval Energy.Reactive.Import.Register Frequency Power.Active.Export
    Power.Active.Import Power.Factor Power.Offered Power.Reactive.Export Power.Reactive.Import
    SoC Voltage"""
NET_MEASURANDS = """Energy.Active.Net Energy.Apparent.Export Energy.Apparent.Import
    Energy.Apparent.Net Energy.Reactive.Net"""
NEW_MEASURANDS = """Current.Export.Minimum Current.Export.Offered Current.Import.Minimum
    Current.Import.Offered Display.BatteryEnergyCapacity Display.ChargingComplete Display.InletHot
    Display.MaximumSOC Display.MinimumSOC Display.PresentSOC Display.RemainingTimeToMaximumSOC
    Display.RemainingTimeToMinimumSOC Display.RemainingTimeToTargetSOC Display.TargetSOC
    Energy.Active.Import.CableLoss Energy.Active.Import.LocalGeneration.Register
    Energy.Active.Setpoint.Interval EnergyRequest.Bulk EnergyRequest.Maximum
    EnergyRequest.Maximum.V2X EnergyRequest.Minimum EnergyRequest.Minimum.V2X EnergyRequest.Target
    Power.Active.Residual Power.Active.Setpoint Power.Export.Minimum Power.Export.Offered
    Power.Import.Minimum Power.Import.Offered Voltage.Maximum Voltage.Minimum"""
TRIGGERS = """AbnormalCondition Authorized CablePluggedIn ChargingRateChanged ChargingStateChanged
    Deauthorized EVCommunicationLost EVConnectTimeout EVDeparted EVDetected EnergyLimitReached
    MeterValueClock MeterValuePeriodic RemoteStart RemoteStop ResetCommand SignedDataReceived
    StopAuthorized TimeLimitReached Trigger UnlockCommand"""
NEW_TRIGGERS = """CostLimitReached LimitSet OperationModeChanged RunningCost SoCLimitReached
    TariffChanged TariffNotAccepted TxResumed"""
REASONS = """DeAuthorized EVDisconnected EmergencyStop EnergyLimitReached GroundFault
    ImmediateReset Local LocalOutOfCredit MasterPass Other OvercurrentFault PowerLoss PowerQuality
    Reboot Remote SOCLimitReached StoppedByEV TimeLimitReached Timeout"""
UNITS_16 = "Wh kWh varh kvarh W kW VA kVA var kvar A V K Celcius Celsius Fahrenheit Percent"
REASONS_16 = """EmergencyStop EVDisconnected HardReset Local Other PowerLoss Reboot Remote
    SoftReset UnlockCommand DeAuthorized"""
ERROR_CODES_16 = """ConnectorLockFailure EVCommunicationError GroundFailure HighTemperature
    InternalError LocalListConflict NoError OtherError OverCurrentFailure PowerMeterFailure
    PowerSwitchFailure ReaderFailure ResetFailure UnderVoltage OverVoltage WeakSignal"""
STATUS_16 = """Available Preparing Charging SuspendedEVSE SuspendedEV Finishing Reserved
    Unavailable Faulted"""
ID_TYPES_201 = "Central eMAID ISO14443 ISO15693 KeyCode Local MacAddress NoAuthorization"
COMMANDS = """AdjustPeriodicEventStream AFRRSignal CancelReservation
    CertificateSigned ChangeAvailability ChangeConfiguration ChangeTransactionTariff ClearCache
    ClearChargingProfile ClearDERControl ClearDisplayMessage ClearTariffs ClearVariableMonitoring
    CostUpdated CustomerInformation DeleteCertificate
    ExtendedTriggerMessage GetBaseReport GetChargingProfiles
    GetCompositeSchedule GetConfiguration GetDERControl GetDiagnostics GetDisplayMessages
    GetInstalledCertificateIds GetLocalListVersion GetLog GetMonitoringReport
    GetPeriodicEventStream GetReport GetTariffs GetTransactionStatus GetVariables
    InstallCertificate NotifyAllowedEnergyTransfer NotifyWebPaymentStarted PublishFirmware
    RemoteStartTransaction RemoteStopTransaction RequestBatterySwap RequestStartTransaction
    RequestStopTransaction ReserveNow Reset SendLocalList SetChargingProfile SetDefaultTariff
    SetDERControl SetDisplayMessage SetMonitoringBase SetMonitoringLevel SetNetworkProfile
    SetVariableMonitoring SetVariables SignedUpdateFirmware TriggerMessage UnlockConnector
    UnpublishFirmware UpdateDynamicSchedule UpdateFirmware UsePriorityCharging"""
